//go:build !unix

package jwks

import "io/fs"

// ownedByUs leaves the judgement to the mode where files have no numeric owner.
func ownedByUs(fs.FileInfo) bool { return true }
