package handshake_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/manageros/authproxy/internal/handshake"
)

var update = flag.Bool("update", false, "write the diagram into docs/handshake.md")

// The marks between which the page has the pictures of the table.
const diagramBegin, diagramEnd = "<!-- internal/handshake/table.go, drawn: go test ./internal/handshake -run TestDiagram -update writes them. -->\n", "<!-- The end of the drawing. -->\n"

// parts are the pictures, which are too large for one: the states that each of them
// goes on from. Others are in it as where it leads.
var parts = []struct {
	title  string
	states []string
}{
	{"Back from Clerk", []string{"begin", "returning", "returned"}},
	{"What the browser has", []string{"satellite", "development", "cookies"}},
	{"The token", []string{"token", "stale"}},
	{"Is the session the right one, and may it be renewed", []string{"site", "organisation", "renewing"}},
}

// ends are what an arrow leads to that leads to no state.
var ends = map[handshake.Do]string{
	handshake.SignedIn: "signed in", handshake.SignedOut: "signed out", handshake.Redirect: "redirect to Clerk",
	handshake.ToCleanURL: "redirect to the clean URL", handshake.Explain: "page that explains",
	handshake.OpenPayload: "open it, begin again", handshake.VerifyPayload: "verify it, begin again",
	handshake.VerifyToken: "verify it, begin again", handshake.RefreshToken: "refresh it, begin again",
}

// diagram draws the table. The number of an arrow is its place among those that
// leave the state: the first one that holds is taken.
func diagram(rows []handshake.Transition) string {
	var page strings.Builder
	for _, part := range parts {
		var declared, arrows strings.Builder
		place, leaves := map[string]int{}, 0
		for _, row := range rows {
			if !slices.Contains(part.states, row.From) {
				continue
			}
			place[row.From]++
			to := row.To
			if to == "" {
				leaves++
				to = fmt.Sprintf("end%d", leaves) // one for each, or the arrows cross
				fmt.Fprintf(&declared, "    state \"%s\" as %s\n", ends[row.Do], to)
			}
			fmt.Fprintf(&arrows, "    %s --> %s : %s (%d)\n", row.From, to, row.Label, place[row.From])
		}
		fmt.Fprintf(&page, "\n### %s\n\n```mermaid\nstateDiagram-v2\n    direction LR\n%s", part.title, &declared)
		if part.states[0] == rows[0].From {
			fmt.Fprintf(&page, "    [*] --> %s\n", rows[0].From)
		}
		fmt.Fprintf(&page, "%s```\n", &arrows)
	}
	return page.String() + "\n"
}

// TestDiagram keeps the pictures in docs/handshake.md equal to the table.
func TestDiagram(t *testing.T) {
	t.Parallel()
	name := filepath.Join("..", "..", "docs", "handshake.md")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := strings.Cut(string(text), diagramBegin)
	drawn, after, ended := strings.Cut(rest, diagramEnd)
	if !begun || !ended {
		t.Fatalf("%s has no place for the pictures", name)
	}
	want := diagram(handshake.Transitions())
	if drawn == want {
		return
	}
	if !*update {
		t.Fatalf("the pictures in %s are not those of the table; go test ./internal/handshake -run TestDiagram -update writes them.\nThey have to be:\n%s", name, want)
	}
	if err := os.WriteFile(name, []byte(before+diagramBegin+want+diagramEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDiagramIsWhole: every row is an arrow, and what an arrow says cannot be taken
// for the language of the pictures.
func TestDiagramIsWhole(t *testing.T) {
	t.Parallel()
	rows := handshake.Transitions()
	picture := diagram(rows)
	if arrows := strings.Count(picture, " --> "); arrows != len(rows)+1 {
		t.Errorf("%d arrows for %d rows", arrows, len(rows))
	}
	for _, row := range rows {
		if strings.ContainsAny(row.Label, ":;#\"<>{}[]\n") || strings.Trim(row.From, "abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("%s cannot be drawn", row.Name())
		}
		if row.To == "" && ends[row.Do] == "" || row.To != "" && row.Do != "" {
			t.Errorf("%s leads nowhere, or to two places", row.Name())
		}
	}
}
