package query_test

import (
	"testing"

	"github.com/roadcomb/roadcomb/datasets/query"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

func TestTurnsBoundQueries(t *testing.T) {
	turns := &query.Turns{Most: 3}
	a, _ := turns.Take("a", 2)
	turns.Take("a", 2)
	if _, err := turns.Take("a", 2); survey.KindOf(err) != survey.Busy {
		t.Error("a third of a key's two")
	}
	turns.Take("b", 2)
	if _, err := turns.Take("c", 2); survey.KindOf(err) != survey.Busy {
		t.Error("a fourth of three")
	}
	a()
	a()
	if _, err := turns.Take("c", 2); err != nil {
		t.Error(err)
	}
	if _, err := turns.Take("a", 2); survey.KindOf(err) != survey.Busy {
		t.Error("a turn given back twice counts twice")
	}
}
