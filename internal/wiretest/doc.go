// Package wiretest is a kit for tests that judge a proxy by the bytes it reads
// and writes: a raw HTTP/1.1 client, a raw HTTP/2 client, and an upstream that
// records what arrives. The messages are read by a strict parser of its own, so
// that a fault of net/http cannot hide itself by being on both sides. Nothing
// here sleeps: every wait ends with an event or fails the test at a deadline.
package wiretest

import "time"

// patience bounds every wait. It is long, because only a broken test reaches it.
const patience = 30 * time.Second
