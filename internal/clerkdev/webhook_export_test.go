package clerkdev

// What the tests of the webhooks see beside the exported names.
var (
	DialLoopback   = dialLoopback
	EventSignature = eventSignature
)

// The bounds.
const (
	MaxEndpoints  = maxEndpoints
	MaxPending    = maxPending
	MaxKeptBytes  = maxKeptBytes
	MaxDeliveries = maxDeliveries
)

// Emit is emit.
func (i *Instance) Emit(kind string, data map[string]any) { i.emit(kind, data) }

// WhileLocked runs f while somebody else holds the state.
func (i *Instance) WhileLocked(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f()
}

// Kept is how many events and bytes of bodies are remembered.
func (i *Instance) Kept() (events, bytes int) {
	i.hooks.mu.Lock()
	defer i.hooks.mu.Unlock()
	for _, m := range i.hooks.kept {
		bytes += len(m.body)
	}
	return len(i.hooks.kept), bytes
}
