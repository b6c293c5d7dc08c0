package app

import (
	"runtime"

	ingestapi "github.com/roadcomb/roadcomb/ingest/api"
)

// loadSettings bound what the servers take on. Beyond it they say when to come back, and clients do.
type loadSettings struct {
	MaxRequests int   `name:"max-requests" help:"Requests worked on at a time; as many again wait for two seconds, more are answered 503 with Retry-After; 0 means 64 for each core, less than 0 no bound." env:"ROADCOMB_MAX_REQUESTS"`
	MaxWaiting  int64 `name:"max-waiting" help:"Jobs that wait for workers, past which no upload is opened (429 with Retry-After; open ones go on); 0 means 5000." env:"ROADCOMB_MAX_WAITING"`
}

func (l loadSettings) requests() int {
	if l.MaxRequests == 0 {
		return 64 * runtime.GOMAXPROCS(0)
	}
	return max(l.MaxRequests, 0)
}

func (l loadSettings) limits() ingestapi.Limits { return ingestapi.Limits{WaitingJobs: l.MaxWaiting} }
