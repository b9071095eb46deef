package handshake

// Transition is a row of the table, for tests and the picture of it.
type Transition struct {
	From, Label, To string // To is "" where the row ends with Do
	Do              Do
}

// Name is what the row is called: no two have one name.
func (t Transition) Name() string { return t.From + ": " + t.Label }

// Transitions is the table.
func Transitions() []Transition {
	var list []Transition
	for _, t := range table {
		list = append(list, Transition{string(t.from), t.label, string(t.to), t.do})
	}
	return list
}

// Trace names the rows that Step takes.
func Trace(in *Input) []string {
	var names []string
	for at := begin; ; {
		t := next(at, in)
		names = append(names, Transition{From: string(t.from), Label: t.label}.Name())
		if t.do != "" {
			return names
		}
		at = t.to
	}
}
