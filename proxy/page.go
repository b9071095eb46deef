package proxy

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page
	"encoding/base64"
	"errors"
	"html/template"
	"io"
)

//go:embed page.html
var pageSource string

// bareCSP is the policy of an answer that shows nothing (WEB-07).
const bareCSP = "default-src 'none'; frame-ancestors 'none'"

// page is the built-in page: one document, nothing loaded from anywhere.
type page struct {
	tmpl *template.Template
	csp  string
}

// newPage reads the page and allows exactly its own style. The hash is of what
// is rendered, not of the file: html/template may change what it copies.
func newPage() (*page, error) {
	tmpl, err := template.New("page").Parse(pageSource)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, Problem{}); err != nil {
		return nil, err
	}
	_, rest, found := bytes.Cut(out.Bytes(), []byte("<style>"))
	style, _, closed := bytes.Cut(rest, []byte("</style>"))
	if !found || !closed {
		return nil, errors.New("there is no style element")
	}
	sum := sha256.Sum256(style)
	return &page{tmpl, "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}, nil
}

func (p *page) write(w io.Writer, problem Problem) { _ = p.tmpl.Execute(w, problem) }
