package clerkdev

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Clerk's pagination.
const (
	defaultLimit, maxLimit = 10, 500
	maxFilter              = 100 // values of one filter
)

// page is which part of a list is wanted.
type page struct{ limit, offset int }

func readPage(q url.Values) (page, error) {
	p := page{limit: defaultLimit}
	if err := queryNumber(q, "limit", 1, maxLimit, &p.limit); err != nil {
		return p, err
	}
	return p, queryNumber(q, "offset", 0, 1<<30, &p.offset)
}

func queryNumber(q url.Values, name string, low, high int, to *int) error {
	if !q.Has(name) {
		return nil
	}
	n, err := strconv.Atoi(q.Get(name))
	if err != nil || n < low || n > high {
		return errValue(name, q.Get(name), strconv.Itoa(low)+" to "+strconv.Itoa(high))
	}
	*to = n
	return nil
}

// show is one page of all as JSON objects; never nil, which would be null.
func show[T any](p page, all []T, object func(T) map[string]any) []map[string]any {
	start := min(p.offset, len(all))
	shown := make([]map[string]any, 0, p.limit)
	for _, item := range all[start:min(start+p.limit, len(all))] {
		shown = append(shown, object(item))
	}
	return shown
}

// paginated is the form of most lists; users and what asks without paginated=true
// get a bare array.
func paginated[T any](p page, all []T, object func(T) map[string]any) map[string]any {
	return map[string]any{"data": show(p, all, object), "total_count": len(all)}
}

// filters are the values of a filter; nil is no filter.
func filters(q url.Values, name string) ([]string, error) {
	if len(q[name]) > maxFilter {
		return nil, errTooManyValues(name, maxFilter)
	}
	return q[name], nil
}

// signed splits a value such as -created_at. A plus that was not escaped arrives as
// a space.
func signed(value string) (name string, minus bool) {
	if name, minus := strings.CutPrefix(value, "-"); minus {
		return name, true
	}
	return strings.TrimLeft(value, "+ "), false
}

func unsigned(value string) (name string, minus bool) { return value, false }

func (b *backend) listUsers(r *http.Request) (any, error) {
	q := r.URL.Query()
	p, err := readPage(q)
	if err != nil {
		return nil, err
	}
	all, err := b.sortedUsers(q)
	if err != nil {
		return nil, err
	}
	if q.Has("starting_after") {
		if all, err = startAfter(q, p, all); err != nil {
			return nil, err
		}
	}
	if all, err = b.filterUsers(q, all); err != nil {
		return nil, err
	}
	return show(p, all, userJSON), nil
}

func (b *backend) countUsers(r *http.Request) (any, error) {
	all, err := b.filterUsers(r.URL.Query(), b.Users())
	return map[string]any{"object": "total_count", "total_count": len(all)}, err
}

// userOrders are the orders Clerk has. The emulator knows no wallets and telephones,
// and takes the last sign-in for the last activity.
var userOrders = map[string]func(a, b User) int{
	"created_at":      func(a, b User) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"updated_at":      func(a, b User) int { return a.UpdatedAt.Compare(b.UpdatedAt) },
	"last_active_at":  func(a, b User) int { return a.LastSignInAt.Compare(b.LastSignInAt) },
	"last_sign_in_at": func(a, b User) int { return a.LastSignInAt.Compare(b.LastSignInAt) },
	"email_address":   func(a, b User) int { return cmp.Compare(a.Email, b.Email) },
	"first_name":      func(a, b User) int { return cmp.Compare(a.FirstName, b.FirstName) },
	"last_name":       func(a, b User) int { return cmp.Compare(a.LastName, b.LastName) },
	"username":        func(a, b User) int { return cmp.Compare(a.Username, b.Username) },
	"phone_number":    func(User, User) int { return 0 },
	"web3wallet":      func(User, User) int { return 0 },
}

func (b *backend) sortedUsers(q url.Values) ([]User, error) {
	order := "-created_at"
	if q.Has("order_by") {
		order = q.Get("order_by")
	}
	name, minus := signed(order)
	compare, ok := userOrders[name]
	if !ok {
		return nil, errValue("order_by", order)
	}
	all := b.Users() // in the order of creation, which breaks ties
	slices.SortStableFunc(all, compare)
	if minus {
		slices.Reverse(all)
	}
	return all, nil
}

// startAfter is Clerk's cursor. It wants the order of creation, because the others
// would skip and repeat.
func startAfter(q url.Values, p page, all []User) ([]User, error) {
	if name, _ := signed(q.Get("order_by")); q.Has("order_by") && name != "created_at" {
		return nil, errValue("order_by", q.Get("order_by"), "created_at with starting_after")
	}
	if p.offset != 0 {
		return nil, wrong("offset", "form_conditional_param_disallowed", "is not allowed", "`offset` isn't allowed when `starting_after` is present.")
	}
	id := q.Get("starting_after")
	for n, u := range all {
		if u.ID == id {
			return all[n+1:], nil
		}
	}
	return nil, wrong("starting_after", "form_resource_not_found", "is missing", "The resource associated with the supplied starting_after was not found.")
}

// filterUsers keeps who passes every filter. The filters that name telephones and
// wallets let nobody through, as nobody has any.
func (b *backend) filterUsers(q url.Values, all []User) ([]User, error) {
	for _, filter := range []struct {
		param string
		value func(User) []string
	}{
		{"user_id", func(u User) []string { return []string{u.ID} }},
		{"email_address", func(u User) []string { return []string{strings.ToLower(u.Email)} }},
		{"external_id", func(u User) []string { return []string{u.ExternalID} }},
		{"username", func(u User) []string { return []string{u.Username} }},
		{"organization_id", func(u User) []string { return b.organizationIDs(u.ID) }},
		{"phone_number", func(User) []string { return nil }},
		{"web3_wallet", func(User) []string { return nil }},
	} {
		wanted, err := filters(q, filter.param)
		if err != nil {
			return nil, err
		}
		if filter.param == "email_address" {
			wanted = lower(wanted)
		}
		split := unsigned
		if filter.param == "user_id" || filter.param == "organization_id" {
			split = signed
		}
		all = slices.DeleteFunc(all, func(u User) bool { return !passes(wanted, split, filter.value(u)) })
	}
	all = queryUsers(q, all)
	return timedUsers(q, all)
}

// passes reports whether the values are wanted: one of those without a minus, if
// there are any, and none of those with one.
func passes(wanted []string, split func(string) (string, bool), values []string) bool {
	if len(wanted) == 0 {
		return true
	}
	positive, found := false, false
	for _, w := range wanted {
		name, minus := split(w)
		has := slices.Contains(values, name)
		if minus && has {
			return false
		}
		if !minus {
			positive, found = true, found || has
		}
	}
	return found || !positive
}

func lower(all []string) []string {
	out := make([]string, len(all))
	for n, s := range all {
		out[n] = strings.ToLower(s)
	}
	return out
}

// queryUsers are the partial matches, without regard to case.
func queryUsers(q url.Values, all []User) []User {
	for param, text := range map[string]func(User) string{
		"query": func(u User) string {
			return strings.Join([]string{u.ID, u.Email, u.Username, u.FirstName + " " + u.LastName}, "\n")
		},
		"email_address_query": func(u User) string { return u.Email },
		"username_query":      func(u User) string { return u.Username },
		"name_query":          func(u User) string { return u.FirstName + " " + u.LastName },
	} {
		if want := strings.ToLower(q.Get(param)); want != "" {
			all = slices.DeleteFunc(all, func(u User) bool { return !strings.Contains(strings.ToLower(text(u)), want) })
		}
	}
	if q.Has("banned") {
		all = slices.DeleteFunc(all, func(u User) bool { return strconv.FormatBool(u.Banned) != q.Get("banned") })
	}
	return all
}

// timedUsers are the filters by time, in milliseconds.
func timedUsers(q url.Values, all []User) ([]User, error) {
	for prefix, at := range map[string]func(User) time.Time{
		"created_at":      func(u User) time.Time { return u.CreatedAt },
		"last_active_at":  func(u User) time.Time { return u.LastSignInAt },
		"last_sign_in_at": func(u User) time.Time { return u.LastSignInAt },
	} {
		for _, side := range []struct {
			suffix string
			sign   int
		}{{"_before", -1}, {"_after", 1}} {
			text := q.Get(prefix + side.suffix)
			if text == "" {
				continue
			}
			millis, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, wrong(prefix+side.suffix, "form_param_invalid_date", "is invalid", "Date values must be given in Unix millisecond timestamp format.")
			}
			all = slices.DeleteFunc(all, func(u User) bool { return at(u).Compare(time.UnixMilli(millis)) != side.sign })
		}
	}
	return all, nil
}
