package config

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Load reads an environment in the form of os.Environ. Of a name that occurs
// more than once the last one counts. Surrounding space of a value is dropped,
// and an empty value is as if the name were not set.
//
// The error joins a [*Mistake] for everything that is wrong, sorted by name.
// The Config beside an error holds what could be read: it is there so that
// further checks can report their mistakes too, and must never be served with.
//
// Load reads the files behind NAME_FILE names, the CA and the certificate; it
// opens nothing else and asks no network.
func Load(environ []string) (*Config, error) {
	l := newLoader(environ)
	l.checkNames()
	var s settings
	l.parse(&s)
	c := &Config{}
	l.judge(&s, c)
	c.effective = l.effective()
	return c, join(Mistakes(join(l.mistakes)))
}

// loader collects what is found on the way from an environment to a Config.
type loader struct {
	environ  map[string]string // everything, trimmed
	values   map[string]string // what the settings of this version are set to
	origin   map[string]string // where an effective value came from, unless it is the default
	shown    map[string]string // effective values that are not the text of the setting
	failed   map[string]bool   // settings whose value cannot be used
	mistakes []*Mistake
}

func newLoader(environ []string) *loader {
	l := &loader{
		environ: map[string]string{}, values: map[string]string{},
		origin: map[string]string{}, shown: map[string]string{}, failed: map[string]bool{},
	}
	for _, entry := range environ {
		if name, value, found := strings.Cut(entry, "="); found && name != "" {
			l.environ[name] = strings.TrimSpace(value)
		}
	}
	for _, f := range fields() {
		l.gather(f)
	}
	return l
}

// add notes a mistake; further checks of the same setting are left out, as they
// could only say what follows from it.
func (l *loader) add(name, text, hint string) {
	l.failed[name] = true
	l.mistakes = append(l.mistakes, &Mistake{
		Name: name, Problem: withoutSecrets(text), Hint: withoutSecrets(hint),
	})
}

// addError notes what a parser of one value said.
func (l *loader) addError(name string, err error) {
	var p *problem
	if errors.As(err, &p) {
		l.add(name, p.text, p.hint)
		return
	}
	l.add(name, err.Error(), "")
}

// set says that the effective value of a setting is not its text.
func (l *loader) set(name, value string) { l.shown[name] = value }

// derive says the same, and where the value came from.
func (l *loader) derive(name, value, from string) {
	l.shown[name] = value
	l.origin[name] = from
}

// gather finds the value of one setting under all its names.
func (l *loader) gather(f field) {
	value := l.environ[f.name]
	if value != "" {
		l.origin[f.name] = "environment"
	}
	if f.alias != "" {
		value = l.gatherAlias(f, value)
	}
	if f.secret {
		value = l.gatherFile(f, value)
	}
	if value != "" {
		l.values[f.name] = value
	}
}

func (l *loader) gatherAlias(f field, value string) string {
	other := l.environ[f.alias]
	switch {
	case other == "":
		return value
	case value == "":
		l.origin[f.name] = "environment, " + f.alias
		return other
	case value != other:
		l.add(f.name, "is not the same as "+f.alias, "they mean the same: set one of them, or both alike")
	}
	return value
}

func (l *loader) gatherFile(f field, value string) string {
	name := f.name + "_FILE"
	path := l.environ[name]
	if path == "" {
		return value
	}
	if value != "" {
		l.failed[f.name] = true
		l.add(name, "is set beside "+f.name, "set one of them")
		return ""
	}
	content, err := readFile(path)
	text := strings.TrimSpace(string(content))
	if err == nil && text == "" {
		err = wrong("names the file "+quote(path)+", which is empty", "write the value into it")
	}
	if err != nil {
		l.failed[f.name] = true
		l.addError(name, err)
		return ""
	}
	l.origin[f.name] = "file " + path
	return text
}

// readFile reads a file of a setting. The path in its message is only a path
// if the setting is right: people put the secret itself there.
func readFile(path string) ([]byte, error) {
	const most = 1 << 20
	file, err := os.Open(path) //nolint:gosec // the path is the operator's own
	if err != nil {
		return nil, wrong("cannot be read: "+quote(path)+": "+reason(err), "it must be the path of a file that the proxy may read")
	}
	defer file.Close() //nolint:errcheck // nothing was written
	var content bytes.Buffer
	if _, err := io.Copy(&content, io.LimitReader(file, most+1)); err != nil {
		return nil, wrong("cannot be read: "+quote(path)+": "+reason(err), "it must be the path of a file that the proxy may read")
	}
	if content.Len() > most {
		return nil, wrong("names the file "+quote(path)+", which is larger than 1 MiB", "name the file that holds the value alone")
	}
	return content.Bytes(), nil
}

// reason is what the system said, without the path it repeats.
func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// parse turns the values into settings.
func (l *loader) parse(s *settings) {
	// The map is never nil: the library would read the process's environment.
	err := env.ParseWithOptions(s, env.Options{Environment: l.values})
	var all env.AggregateError
	if !errors.As(err, &all) {
		return
	}
	names := map[string]string{}
	for _, f := range fields() {
		names[f.member] = f.name
	}
	for _, err := range all.Errors {
		var one env.ParseError
		if errors.As(err, &one) {
			l.addError(names[one.Name], one.Err)
		} else { // a fault of settings.go that every test meets
			l.add("settings", err.Error(), "")
		}
	}
}

// judge checks the settings and fills the Config.
func (l *loader) judge(s *settings, c *Config) {
	l.clerk(s, &c.Clerk)
	l.public(s, c)
	l.frontend(s, c)
	l.keys(s, c)
	c.Clerk.SignInURL = l.signIn(s, c)
	l.satellite(s, c)
	l.listeners(s, &c.Listen)
	l.upstream(s, c)
	l.session(s, c)
	l.headers(s, &c.Headers)
	l.limits(s, &c.Limits)
	l.operation(s, &c.Operation)
}
