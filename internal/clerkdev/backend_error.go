package clerkdev

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// refusal is an answer that is not a success: Clerk's status, its list of what is
// wrong, and when another try is worth it.
type refusal struct {
	status     int
	problems   []problem
	retryAfter time.Duration
}

// problem is one entry of Clerk's errors. The codes are those of Clerk's index of
// Backend API errors.
type problem struct {
	Message     string         `json:"message"`
	LongMessage string         `json:"long_message"`
	Code        string         `json:"code"`
	Meta        map[string]any `json:"meta"`
}

func (r *refusal) Error() string { return "clerkdev: " + r.problems[0].Code }

func refuse(status int, code, message, long string) *refusal {
	return &refusal{status: status, problems: []problem{{Message: message, LongMessage: long, Code: code, Meta: map[string]any{}}}}
}

// wrong is a refusal of one parameter.
func wrong(param, code, message, long string) *refusal {
	r := refuse(http.StatusUnprocessableEntity, code, message, long)
	r.problems[0].Meta["param_name"] = param
	return r
}

// asRefusal makes of any other error the answer Clerk gives when it is at fault.
func asRefusal(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	return refuse(http.StatusInternalServerError, "internal_clerk_error", "Oops, an unexpected error occurred",
		"There was an internal error in the emulator: "+err.Error())
}

func errNoKey() *refusal {
	return refuse(http.StatusUnauthorized, "authorization_header_format_invalid", "Invalid Authorization header format",
		"Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'")
}

func errWrongKey() *refusal {
	const text = "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct."
	return refuse(http.StatusUnauthorized, "clerk_key_invalid", text, text)
}

func errNoSuchPath() *refusal {
	return refuse(http.StatusNotFound, "resource_not_found", "not found", "Resource not found")
}

func errNotFound(kind, id string) *refusal {
	return refuse(http.StatusNotFound, "resource_not_found", "not found", "No "+kind+" was found with id "+id)
}

func errTooMany(wait time.Duration) *refusal {
	r := refuse(http.StatusTooManyRequests, "too_many_requests", "Too many requests. Please try again in a bit.",
		"Too many requests. Please try again in a bit.")
	r.retryAfter = wait
	return r
}

func errUnknownParam(param string) *refusal {
	return wrong(param, "form_param_unknown", "is unknown", param+" is not a valid parameter for this request.")
}

func errMissing(param string) *refusal {
	return wrong(param, "form_param_missing", "is missing", param+" must be included.")
}

func errType(param, kind string) *refusal {
	return wrong(param, "form_param_type_invalid", "is invalid", "`"+param+"` must be a `"+kind+"`.")
}

func errValue(param, value string, allowed ...string) *refusal {
	long := value + " does not match the allowed values for parameter " + param + "."
	if len(allowed) > 0 {
		long += " Allowed values: " + strings.Join(allowed, ", ")
	}
	return wrong(param, "form_param_value_invalid", "is invalid", long)
}

func errTaken(param string) *refusal {
	text := "That " + strings.ReplaceAll(param, "_", " ") + " is taken. Please try another."
	return wrong(param, "form_identifier_exists", text, text)
}

func errNotObject(param string) *refusal {
	text := param + " must be a valid key-value object."
	return wrong(param, "form_param_value_invalid", text, text)
}

func errTooLarge(param string, limit int) *refusal {
	text := "The given " + param + " exceeds the maximum allowed size of " + strconv.Itoa(limit) + " bytes."
	return wrong(param, "form_param_exceeds_allowed_size", text, text)
}

func errTooManyValues(param string, limit int) *refusal {
	return wrong(param, "form_param_array_size_exceeded", "exceeds maximum size", param+" should not exceed "+strconv.Itoa(limit)+" items.")
}
