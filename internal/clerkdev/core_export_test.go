package clerkdev

// What the tests of the core see beside the exported names.
var (
	Here            = here
	IsLoopback      = isLoopback
	OriginOf        = originOf
	PackPermissions = packPermissions
	Registrable     = registrable
	ErrReserved     = errReserved
)

// Sign is keyring.sign.
func (i *Instance) Sign(header, claims map[string]any) (string, error) {
	return i.keys.sign(header, claims)
}

// Leave ends a membership behind the back of everybody.
func (i *Instance) Leave(membershipID string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.state.memberships, membershipID)
}

// Events lists the kinds of what was emitted so far.
func (i *Instance) Events() []string {
	i.hooks.mu.Lock()
	defer i.hooks.mu.Unlock()
	var kinds []string
	for _, m := range i.hooks.kept {
		kinds = append(kinds, m.kind)
	}
	return kinds
}

// Render compiles a session-token template and renders it as JSON.
func Render(source string, user User, organization *Organization, role string) (string, error) {
	t, err := parseTemplate(source)
	if err != nil {
		return "", err
	}
	out, err := compactJSON(t.render(user, organization, role))
	return string(out), err
}

// Handshakes counts what waits for a nonce.
func (i *Instance) Handshakes() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.state.handshakes)
}

// Consumed counts the expired tokens that are remembered.
func (i *Instance) Consumed() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.state.consumed)
}

// Forget removes a person and leaves the sessions, as nothing else does.
func (i *Instance) Forget(userID string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.state.users, userID)
}
