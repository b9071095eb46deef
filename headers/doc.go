// Package headers turns the claims of a verified session into header fields
// that an application may trust, and removes everything a client could send
// that an application might take for such a field.
//
// Three parts, each usable alone:
//
//   - [Mapping] says which claim becomes which field and how the value is
//     encoded. Every value it makes is printable ASCII (0x20–0x7E) that neither
//     begins nor ends with a space, whatever the claim holds.
//   - [Owner] removes every spelling of a field that only the proxy may set.
//     Servers disagree about "-", "_" and "." in field names (CGI, RFC 3875
//     section 4.1.18, turns them into one), so names are compared folded.
//   - [Peers] believes forwarding fields from trusted hops only; [ParseTrace]
//     takes a valid trace context from anybody.
//
// # Mapping grammar
//
//	mapping = ["+"] entry *( "," entry )
//	entry   = field "=" path *( "|" path ) *( ";" parameter )
//	path    = name *( "." name / "[" digits "]" )
//	name    = bare / quoted
//	parameter = "default=" ( bare / quoted ) / "enc=" encoding
//	encoding  = "percent" / "raw" / "base64url" / "rfc2047" / "json"
//
// A quoted text stands in double quotes and may hold every character but
// control characters; a double quote in it is written twice, and nothing else
// is special. A bare name holds no space and none of . [ ] " | ; , = and
// backslash. A bare default holds no comma, semicolon or double quote and has
// no space around it. Space around entries, fields, paths and parameters is
// ignored.
//
// # Encodings
//
//   - percent: a value of printable ASCII without "%", not beginning or ending
//     with a space, goes as it is; any other is percent-encoded whole, every
//     byte outside RFC 3986 "unreserved". Decoding is always right and never
//     changes a value that was not encoded.
//   - raw: as it is; what is not printable ASCII, or begins or ends with a
//     space, is refused, and so is a list element with a comma.
//   - base64url: RFC 4648 section 5 without padding, always.
//   - rfc2047: as it is, or encoded words (Q, UTF-8) when the value could not
//     be a field value or could be taken for an encoded word.
//   - json: the JSON value itself, strings with their quotes and arrays whole,
//     without insignificant space, non-ASCII as \uXXXX.
//
// With all but json an array of scalars becomes its encoded elements joined by
// commas, and an object or an array of such the JSON text, encoded like a
// string.
package headers
