package telemetry

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A metric is declared once, here; METRICS.md of the deployment guide is written from it.
type metric struct {
	name, kind, help string
	labels           []string
}

var (
	mBuild          = metric{"roadcomb_build_info", "gauge", "Always 1; the label is the version.", []string{"version"}}
	mRequests       = metric{"roadcomb_http_requests_total", "counter", "Requests answered, by the route's pattern.", []string{"route", "method", "code"}}
	mRequestSeconds = metric{"roadcomb_http_request_seconds", "histogram", "How long answering took.", []string{"route", "method"}}
	mInFlight       = metric{"roadcomb_http_requests_in_flight", "gauge", "Requests being answered.", nil}
	mJobs           = metric{"roadcomb_jobs_total", "counter", "Attempts at jobs of this process: done, failed or panic.", []string{"kind", "outcome"}}
	mJobSeconds     = metric{"roadcomb_job_seconds", "histogram", "How long an attempt at a job took.", []string{"kind"}}

	mQueue     = metric{"roadcomb_queue_jobs", "gauge", "Jobs in the database by state: waiting, running, retrying, failed. The same from every process.", []string{"kind", "state"}}
	mQueueAge  = metric{"roadcomb_queue_age_seconds", "gauge", "How long the oldest job that could run has waited.", []string{"kind"}}
	mUploads   = metric{"roadcomb_uploads_unsettled", "gauge", "Uploads on their way: open, uploaded, ingested.", []string{"state"}}
	mReports   = metric{"roadcomb_reports_open", "gauge", "Reports of published frames that nobody has acted on.", nil}
	mReportAge = metric{"roadcomb_report_age_seconds", "gauge", "How long the oldest open report has waited.", nil}
	mWorkers   = metric{"roadcomb_workers_alive", "gauge", "Worker processes seen lately.", nil}
	mDisk      = metric{"roadcomb_disk_free_bytes", "gauge", "Free bytes of the file system that holds the data folder.", nil}
	mScrape    = metric{"roadcomb_state_up", "gauge", "1 if the state database answered this scrape.", nil}
)

var declared = []metric{mBuild, mRequests, mRequestSeconds, mInFlight, mJobs, mJobSeconds, mQueue, mQueueAge, mUploads, mReports, mReportAge, mWorkers, mDisk, mScrape}

// Names are the names of all metrics of ours.
func Names() []string {
	out := make([]string, len(declared))
	for i, m := range declared {
		out[i] = m.name
	}
	return out
}

// WriteTable writes the metrics as a table in Markdown.
func WriteTable(w io.Writer) error {
	if _, err := fmt.Fprint(w, "| metric | type | labels | what it is |\n|---|---|---|---|\n"); err != nil {
		return err
	}
	for _, m := range declared {
		if _, err := fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", m.name, m.kind, strings.Join(m.labels, ", "), m.help); err != nil {
			return err
		}
	}
	return nil
}

type metrics struct {
	build                      *prometheus.GaugeVec
	inFlight                   prometheus.Gauge
	requests, jobs             *prometheus.CounterVec
	requestSeconds, jobSeconds *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) metrics {
	counter := func(m metric) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.name, Help: m.help}, m.labels)
		r.MustRegister(v)
		return v
	}
	gauge := func(m metric) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: m.name, Help: m.help}, m.labels)
		r.MustRegister(v)
		return v
	}
	histogram := func(m metric, buckets ...float64) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: m.name, Help: m.help, Buckets: buckets}, m.labels)
		r.MustRegister(v)
		return v
	}
	var m metrics
	m.build, m.requests, m.jobs = gauge(mBuild), counter(mRequests), counter(mJobs)
	m.inFlight = gauge(mInFlight).WithLabelValues()
	// 50 ms is what drivers may wait at the 99th percentile.
	m.requestSeconds = histogram(mRequestSeconds, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30)
	// A job has four minutes.
	m.jobSeconds = histogram(mJobSeconds, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 240)
	return m
}

// Standing is what the database and the machine say at the time of a scrape.
type Standing struct {
	Queue     []QueueStanding
	Uploads   map[string]int64
	Reports   int64
	ReportAge time.Duration
	Workers   int64
	DiskFree  int64 // bytes; below zero when unknown
}

// QueueStanding is where one kind of job stands.
type QueueStanding struct {
	Kind                               string
	Waiting, Running, Retrying, Failed int64
	Age                                time.Duration // of the oldest that could run
}

// Watch adds what ask tells to every scrape. ask gets ten seconds.
func (t *Telemetry) Watch(ask func(context.Context) (Standing, error)) {
	t.Registry.MustRegister(watcher{ask})
}

type watcher struct {
	ask func(context.Context) (Standing, error)
}

func desc(m metric) *prometheus.Desc { return prometheus.NewDesc(m.name, m.help, m.labels, nil) }

func (w watcher) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range []metric{mQueue, mQueueAge, mUploads, mReports, mReportAge, mWorkers, mDisk, mScrape} {
		ch <- desc(m)
	}
}

func (w watcher) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	gauge := func(m metric, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc(m), prometheus.GaugeValue, v, labels...)
	}
	s, err := w.ask(ctx)
	if err != nil {
		gauge(mScrape, 0)
		return
	}
	gauge(mScrape, 1)
	for _, q := range s.Queue {
		gauge(mQueue, float64(q.Waiting), q.Kind, "waiting")
		gauge(mQueue, float64(q.Running), q.Kind, "running")
		gauge(mQueue, float64(q.Retrying), q.Kind, "retrying")
		gauge(mQueue, float64(q.Failed), q.Kind, "failed")
		gauge(mQueueAge, q.Age.Seconds(), q.Kind)
	}
	for state, n := range s.Uploads {
		gauge(mUploads, float64(n), state)
	}
	gauge(mReports, float64(s.Reports))
	gauge(mReportAge, s.ReportAge.Seconds())
	gauge(mWorkers, float64(s.Workers))
	if s.DiskFree >= 0 {
		gauge(mDisk, float64(s.DiskFree))
	}
}
