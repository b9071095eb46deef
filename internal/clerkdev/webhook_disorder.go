package clerkdev

import "time"

// Disorder makes deliveries go wrong in ways that Svix's promises (at least once,
// in no order) or an attacker may. The zero Disorder is order: once each, in the
// order of the events.
type Disorder struct {
	// Copies are further deliveries of every event, under the same id and with
	// retries of their own.
	Copies int
	// Reverse holds the events of this long and then sends them newest first.
	Reverse time.Duration
	// Flip is where one bit of every delivery is wrong.
	Flip Part
}

// Part is a part of a delivery.
type Part string

// The parts in which a bit can be flipped.
const (
	FlipNothing   Part = ""
	FlipBody      Part = "body"
	FlipID        Part = "id"
	FlipTimestamp Part = "timestamp"
	FlipSignature Part = "signature"
)

// Disturb makes deliveries go wrong from now on: Copies and Reverse for events to
// come, Flip for every attempt.
func (i *Instance) Disturb(d Disorder) {
	i.hooks.mu.Lock()
	defer i.hooks.mu.Unlock()
	i.hooks.disorder = d
}
