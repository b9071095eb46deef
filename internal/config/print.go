package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
)

// effective is one setting as it came out.
type effective struct{ name, value, from string }

// effective says how every setting came out. Secrets are masked here and not
// when it is printed, so that the Config keeps no second copy of them.
func (l *loader) effective() []effective {
	all := make([]effective, 0, len(l.values))
	for _, f := range fields() {
		value, set := l.values[f.name]
		if !set {
			value = f.fallback
		}
		if shown, differs := l.shown[f.name]; differs {
			value = shown
		}
		if f.secret {
			value = Secret(value).String()
		}
		from := l.origin[f.name]
		if from == "" {
			from = "default"
		}
		all = append(all, effective{f.name, printable(value), printable(from)})
	}
	return all
}

// printable keeps one setting on one line.
func printable(value string) string {
	value = withoutSecrets(value)
	if strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(value)
	}
	return value
}

// Print writes every setting with its effective value and where that came
// from, in the order of the manual. Secrets are shown as "[set]", what is not
// set as "-".
func (c *Config) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range c.effective {
		value := e.value
		if value == "" {
			value = "-"
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", e.name, value, e.from); err != nil {
			return fmt.Errorf("config: print: %w", err)
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("config: print: %w", err)
	}
	return nil
}
