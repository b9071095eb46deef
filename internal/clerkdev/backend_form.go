package clerkdev

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxBody is far above what three kinds of metadata at their limit need.
const maxBody = 1 << 20

// form is the body of a request: a JSON object whose members are taken one by one.
// What is wrong with them is gathered, because Clerk names it all at once.
type form struct {
	fields map[string]json.RawMessage
	wrong  *refusal
}

// readBody reads a body and refuses members that are not among allowed. No body
// and null are an empty form: clerk-sdk-go sends null for no parameters.
func readBody(r *http.Request, allowed ...string) (*form, error) {
	f := &form{}
	body, err := io.ReadAll(r.Body) //nolint:forbidigo // serve has put a MaxBytesReader of maxBody around it
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "request_body_too_large", "Request body too large",
			"The request body exceeds the maximum allowed size of "+strconv.Itoa(maxBody)+" bytes.")
	}
	if err != nil || !utf8.Valid(body) {
		return nil, errBody()
	}
	if body = bytes.TrimSpace(body); len(body) == 0 || string(body) == "null" {
		return f, nil
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, "unsupported_content_type", "Content-Type is unsupported",
			"Content-Type "+kind+" is unsupported. You should use application/json instead.")
	}
	if err := json.Unmarshal(body, &f.fields); err != nil {
		return nil, errBody()
	}
	for name := range f.fields {
		if !slices.Contains(allowed, name) {
			f.refuse(errUnknownParam(name))
		}
	}
	return f, f.err()
}

func errBody() *refusal {
	return refuse(http.StatusBadRequest, "request_body_invalid", "Request body invalid",
		"The request body is invalid. Please consult the API documentation for more information.")
}

func (f *form) refuse(r *refusal) {
	if f.wrong == nil {
		f.wrong = r
		return
	}
	f.wrong.problems = append(f.wrong.problems, r.problems...)
}

// err is everything wrong so far. It exists because a nil *refusal in an error is
// not nil.
func (f *form) err() error {
	if f.wrong == nil {
		return nil
	}
	return f.wrong
}

// has reports whether name is there, if only as null.
func (f *form) has(name string) bool {
	_, ok := f.fields[name]
	return ok
}

func (f *form) isNull(name string) bool { return string(f.fields[name]) == "null" }

func (f *form) require(names ...string) {
	for _, name := range names {
		if !f.has(name) || f.isNull(name) {
			f.refuse(errMissing(name))
		}
	}
}

// text sets to to a string; null empties it, and what is absent stays.
func (f *form) text(name string, to *string) { take(f, name, "string", to) }

// flag is text for booleans.
func (f *form) flag(name string, to *bool) { take(f, name, "boolean", to) }

// number is text for whole numbers between low and high.
func (f *form) number(name string, low, high int, to *int) {
	value := *to
	take(f, name, "integer", &value)
	if f.isNull(name) {
		return // Clerk's default stays
	}
	if value < low || value > high {
		f.refuse(errValue(name, strconv.Itoa(value), strconv.Itoa(low)+" to "+strconv.Itoa(high)))
		return
	}
	*to = value
}

// object takes a JSON object as it is.
func (f *form) object(name string, to *json.RawMessage) {
	if !f.has(name) {
		return
	}
	if !isObject(f.fields[name]) {
		f.refuse(errNotObject(name))
		return
	}
	*to = f.fields[name]
}

func take[T any](f *form, name, kind string, to *T) {
	if !f.has(name) {
		return
	}
	var value T
	if json.Unmarshal(f.fields[name], &value) != nil {
		f.refuse(errType(name, kind))
		return
	}
	*to = value
}
