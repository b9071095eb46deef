package clerkdev

import (
	"bytes"
	"encoding/json"
)

// maxMetadata is Clerk's limit for each kind of metadata, in bytes of JSON.
const maxMetadata = 8 << 10

// metadataField is one kind of metadata of one thing.
type metadataField struct {
	name string // "public_metadata"
	at   *json.RawMessage
}

// writeMetadata makes the new metadata of what a form says: PATCH merges, PUT replaces, and
// a kind that is not in the form stays. It changes nothing unless all of it is right.
func (f *form) writeMetadata(merge bool, fields ...metadataField) error {
	values := make([]json.RawMessage, len(fields))
	for n, field := range fields {
		value := *field.at
		f.object(field.name, &value)
		if merge && f.has(field.name) && f.err() == nil {
			merged, err := mergeJSON(*field.at, value)
			if err != nil {
				return err
			}
			value = merged
		}
		if values[n] = compact(value); len(values[n]) > maxMetadata {
			f.refuse(errTooLarge(field.name, maxMetadata))
		}
	}
	if err := f.err(); err != nil {
		return err
	}
	for n, field := range fields {
		*field.at = values[n]
	}
	return nil
}

// mergeJSON merges patch into old as PATCH …/metadata does: objects at every depth,
// null removes a key, and anything else (arrays too) replaces what was there.
func mergeJSON(old, patch json.RawMessage) (json.RawMessage, error) {
	target, err := decodeObject(objectOrEmpty(old))
	if err != nil {
		return nil, err
	}
	changes, err := decodeObject(patch)
	if err != nil {
		return nil, err
	}
	return compactJSON(mergeInto(target, changes))
}

func mergeInto(target, changes map[string]any) map[string]any {
	for key, change := range changes {
		switch change := change.(type) {
		case nil:
			delete(target, key)
		case map[string]any:
			inner, ok := target[key].(map[string]any)
			if !ok {
				inner = map[string]any{} // a null below it removes what is not there
			}
			target[key] = mergeInto(inner, change)
		default:
			target[key] = change
		}
	}
	return target
}

func compact(raw json.RawMessage) json.RawMessage {
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return raw
	}
	return out.Bytes()
}
