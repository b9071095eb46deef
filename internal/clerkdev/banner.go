package clerkdev

import (
	"fmt"
	"strings"
)

// Banner is what the emulator says of itself when it starts.
func (i *Instance) Banner() string {
	var b strings.Builder
	line := strings.Repeat("!", 64)
	fmt.Fprintf(&b, "%s\n", line)
	fmt.Fprintf(&b, "!!  CLERK EMULATOR - NOT FOR PRODUCTION\n")
	fmt.Fprintf(&b, "!!  Anybody who reaches it can sign in as anybody.\n")
	fmt.Fprintf(&b, "!!  People, keys and sessions live in memory, new at every start;\n")
	fmt.Fprintf(&b, "!!  it answers to this machine only. No account, no network.\n")
	fmt.Fprintf(&b, "%s\n", line)
	fmt.Fprintf(&b, "publishable key  %s\n", i.named.PublishableKey)
	for n, u := range i.Users() {
		label := "people         "
		if n > 0 {
			label = "               "
		}
		role, organization := shown(u.PublicMetadata, "role"), shown(u.PublicMetadata, "organizationName")
		fmt.Fprintf(&b, "%s  %s (%s, %s)\n", label, plain(u.FullName()), plain(role), plain(organization))
	}
	return b.String()
}

// plain keeps control characters out of a terminal.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return -1
		}
		return c
	}, s)
}
