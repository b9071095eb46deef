package wiretest

import "strings"

// Field is one header field in its original spelling.
type Field struct{ Name, Value string }

// Request is one HTTP/1.1 request as the strict parser reads it.
type Request struct {
	Method, Target, Version string
	Fields                  []Field // in order
	Body                    []byte  // without chunk framing
	Chunked                 bool
	Trailers                []Field
	Raw                     []byte // the bytes it was read from
}

// Response is one final HTTP/1.1 response.
type Response struct {
	Version  string
	Status   int
	Fields   []Field
	Body     []byte
	Trailers []Field
	Interim  []int // statuses of the 1xx responses before it
	ToEnd    bool  // the body had no framing and went on to the end of the connection
}

// Get returns the values of every field called name in any case, joined as
// RFC 9110 section 5.3 joins them; "" when there is none.
func (r *Request) Get(name string) string { return get(r.Fields, name) }

// Has reports whether there is a field called name in any case.
func (r *Request) Has(name string) bool { return has(r.Fields, name) }

// Get is [Request.Get] for a response.
func (r *Response) Get(name string) string { return get(r.Fields, name) }

// Has is [Request.Has] for a response.
func (r *Response) Has(name string) bool { return has(r.Fields, name) }

// Path is the target before the first "?".
func (r *Request) Path() string {
	path, _, _ := strings.Cut(r.Target, "?")
	return path
}

func get(fields []Field, name string) string {
	var values []string
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return strings.Join(values, ", ")
}

func has(fields []Field, name string) bool {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}
