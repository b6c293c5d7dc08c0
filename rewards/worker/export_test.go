package worker

// SetFault makes closes die where f says so.
func SetFault(w *Worker, f func(step string) error) { w.fault = f }
