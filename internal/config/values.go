package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The types of the settings. Each reads its text itself so that what is wrong
// can be said with a hint.

// list is a comma list; the space around an element does not count.
type list []string

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *list) UnmarshalText(text []byte) error {
	for part := range strings.SplitSeq(string(text), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			return wrong("has an empty element", "remove the superfluous comma")
		}
		*l = append(*l, part)
	}
	return nil
}

// duration is a Go duration.
type duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		hint := "write a number with a unit, for example 500ms, 10s, 5m or 24h"
		if _, err := strconv.Atoi(string(text)); err == nil {
			hint = "add the unit, for example " + string(text) + "s"
		}
		return wrong(quote(string(text))+" is not a duration", hint)
	}
	*d = duration(v)
	return nil
}

// size is a number of bytes; "none" is 0.
type size int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *size) UnmarshalText(text []byte) error {
	if string(text) == "none" {
		*b = 0
		return nil
	}
	digits, unit := string(text), int64(1)
	for _, u := range []struct {
		suffix string
		bytes  int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}} {
		if rest, found := strings.CutSuffix(digits, u.suffix); found {
			digits, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/unit {
		return wrong(quote(string(text))+" is not a size", "write bytes, or a number with KiB, MiB or GiB, for example 65536 or 64KiB")
	}
	*b = size(int64(n) * unit)
	return nil
}

// flag is true or false.
type flag bool

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *flag) UnmarshalText(text []byte) error {
	word, err := oneOf(string(text), "true", "false")
	*f = word == "true"
	return err
}

// toggle is "on", "off" or, when nothing is said, "".
type toggle string

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *toggle) UnmarshalText(text []byte) error {
	word, err := oneOf(string(text), "on", "off")
	*t = toggle(word)
	return err
}

// oneOf reads one word of a closed set, in any case. Nothing else is
// understood, because a "no" that is read as the default would be a defence
// that is off.
func oneOf(text string, words ...string) (string, error) {
	if word := strings.ToLower(text); slices.Contains(words, word) {
		return word, nil
	}
	last := len(words) - 1
	hint := "write " + strings.Join(words[:last], ", ") + " or " + words[last]
	return "", wrong(quote(text)+" is not understood", hint)
}
