// Package ledger names published bytes, by SHA-256 and, for content-addressed archives, by CIDv1, and signs them with the
// network's key.
package ledger

import (
	"github.com/ipfs/go-cid"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// CID is the CIDv1 (raw codec, SHA-256) of the content with the hash, as base32 text.
func CID(h survey.Hash) string {
	const sha256 = 0x12
	return cid.NewCidV1(cid.Raw, append([]byte{sha256, byte(len(h))}, h[:]...)).String()
}
