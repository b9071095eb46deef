package headers

import (
	"net/http"
	"strings"
)

// Trace is a W3C trace context that may be passed on.
type Trace struct {
	Parent string // traceparent; "" when there was no valid one
	State  string // tracestate, its fields joined; "" without a parent
}

// The bounds of a trace context. tracestate should be passed on up to 512
// bytes (W3C Trace Context section 3.3.1.5), of at most 32 members.
const (
	parentLength = 55 // of version 00
	maxParent    = 256
	maxState     = 512
	maxMembers   = 32
)

// ParseTrace reads the trace context of a request, whoever sent it: it names
// nobody and nothing is decided by it. What is not valid is dropped whole, as
// the W3C recommendation asks; a tracestate goes with its traceparent.
func ParseTrace(h http.Header) Trace {
	parents := h.Values("Traceparent")
	if len(parents) != 1 || !isTraceparent(parents[0]) {
		return Trace{}
	}
	return Trace{Parent: parents[0], State: joinState(h.Values("Tracestate"))}
}

// isTraceparent checks version "-" trace-id "-" parent-id "-" flags (section
// 3.2). A later version may have more after another hyphen.
func isTraceparent(s string) bool {
	if len(s) < parentLength || len(s) > maxParent || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	version, trace, parent, flags, rest := s[:2], s[3:35], s[36:52], s[53:55], s[55:]
	for _, part := range []string{version, trace, parent, flags} {
		if strings.Trim(part, "0123456789abcdef") != "" {
			return false
		}
	}
	switch {
	case version == "ff", strings.Trim(trace, "0") == "", strings.Trim(parent, "0") == "":
		return false
	case rest == "":
		return true
	default:
		return version != "00" && rest[0] == '-' && isFieldValue(rest)
	}
}

// joinState joins the fields of a tracestate, which RFC 9110 section 5.3 makes
// one list.
func joinState(lines []string) string {
	size := -1
	for _, line := range lines {
		size += len(line) + 1
	}
	if size > maxState {
		return ""
	}
	var members []string
	for member := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		if member = strings.Trim(member, " \t"); member == "" {
			continue // allowed, and means nothing
		}
		if !isStateMember(member) || len(members) == maxMembers {
			return ""
		}
		members = append(members, member)
	}
	return strings.Join(members, ",")
}

// isStateMember checks key "=" value (section 3.3.1.3).
func isStateMember(member string) bool {
	key, value, _ := strings.Cut(member, "=")
	return key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_-*/@") == "" &&
		isFieldValue(value) && !strings.Contains(value, "=")
}
