package worker

// SetFault makes w stop with fn's error at the named points of a run: "published" after an archive is written, "delta"
// before one, "swap" before the manifest, "consume" after it.
func (w *Worker) SetFault(fn func(point string) error) { w.fault = fn }
