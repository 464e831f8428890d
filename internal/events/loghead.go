package events

import "sync"

// logHead is how far this process knows the log to reach, for those who wait for it to grow.
type logHead struct {
	mu    sync.Mutex
	index int64
	grown chan struct{} // closed when the index rises, and then replaced
}

func newLogHead() *logHead { return &logHead{grown: make(chan struct{})} }

func (h *logHead) reached(index int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if index > h.index {
		h.index = index
		close(h.grown)
		h.grown = make(chan struct{})
	}
}

// next is closed when the log has grown after this call.
func (h *logHead) next() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.grown
}
