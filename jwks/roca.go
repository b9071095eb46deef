package jwks

import "math/big"

// roca reports whether n has the fingerprint of CVE-2017-15361: the primes of
// such a key are k·M + 65537^a mod M for a product M of small primes, so n is a
// power of 65537 modulo each of them (Nemec et al., "The Return of
// Coppersmith's Attack", section 2.3). A sound modulus has the fingerprint with
// a chance of less than one in a hundred million.
func roca(n *big.Int) bool {
	// The first 39 primes: what M is made of for the shortest keys, and
	// therefore divides M for all of them.
	for _, prime := range []int64{
		2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71,
		73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
	} {
		if !powerOf65537(new(big.Int).Mod(n, big.NewInt(prime)).Int64(), prime) {
			return false
		}
	}
	return true
}

// powerOf65537 reports whether residue is a power of 65537 modulo prime.
func powerOf65537(residue, prime int64) bool {
	power := int64(1)
	for range prime {
		if power == residue {
			return true
		}
		power = power * 65537 % prime
	}
	return false
}
