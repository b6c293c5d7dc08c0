package ledger_test

import (
	"crypto/ed25519"
	"fmt"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/ledger"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

func ExampleCID() {
	fmt.Println(ledger.CID(survey.HashOf([]byte("hello world"))))
	// Output: bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e
}

func TestTheEmptyContentHasItsKnownName(t *testing.T) {
	if got := ledger.CID(survey.HashOf(nil)); got != "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku" {
		t.Fatal(got)
	}
}

func ExampleVerify() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) // a network's own
	text := []byte(`{"format":"roadcomb-epoch-1"}`)
	signature := ledger.Sign("roadcomb-epoch-1", text, key)
	_, err := ledger.Verify("roadcomb-epoch-1", "this epoch", text, signature, key.Public().(ed25519.PublicKey))
	fmt.Println(err)
	_, err = ledger.Verify("roadcomb-epoch-1", "this epoch", append(text, ' '), signature, nil)
	fmt.Println(err)
	// Output:
	// <nil>
	// the signature does not belong to this epoch, whose SHA-256 is 1fbbd35fc504103e55ad3e95e5f5aedd703e5a48cc43019030687fb4174c5716 (one of the two was changed: fetch both again)
}
