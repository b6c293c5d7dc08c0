package ledger_test

import (
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
