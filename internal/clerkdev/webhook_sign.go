package clerkdev

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

// webhookSecret is how Svix writes a signing key.
func webhookSecret(key []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(key) }

// eventSignature is Svix's scheme v1: HMAC-SHA256 over the id, the seconds since 1970
// and the raw body (docs.svix.com/receiving/verifying-payloads/how-manual).
func eventSignature(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signedHeader is everything a delivery says beside its body. Clerk's helper
// reads the svix- names only, so there are no webhook- ones.
func signedHeader(key []byte, id, timestamp string, body []byte) http.Header {
	return http.Header{
		"Content-Type":   {"application/json"},
		"User-Agent":     {"Svix-Webhooks/emulated"},
		"Svix-Id":        {id},
		"Svix-Timestamp": {timestamp},
		"Svix-Signature": {eventSignature(key, id, timestamp, body)},
	}
}

// flip flips one bit of the part p, after signing. What comes out still looks
// right (the body is JSON, the timestamp a near number), so that nothing but the
// signature gives it away.
func (p Part) flip(h http.Header, body []byte) []byte {
	one := func(text []byte, n int) string {
		text[n] ^= 1
		return string(text)
	}
	switch p {
	case FlipBody:
		body = bytes.Clone(body) // other attempts share it
		body[len(body)-3] ^= 1   // the last letter of the type, which comes last
	case FlipID:
		id := h.Get("Svix-Id")
		h.Set("Svix-Id", one([]byte(id), len(id)-1))
	case FlipTimestamp:
		seconds := h.Get("Svix-Timestamp")
		h.Set("Svix-Timestamp", one([]byte(seconds), len(seconds)-1))
	case FlipSignature:
		mac := h.Get("Svix-Signature")
		h.Set("Svix-Signature", one([]byte(mac), len(mac)/2))
	case FlipNothing:
	}
	return body
}
