package main

import "testing"

// Garbage takes four times what lives while that is little, a bounded amount when it is more, and never less than a quarter of it.
func TestCollectAt(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 30 << 20: 400, 64 << 20: 400, 128 << 20: 200, 512 << 20: 50, 1 << 30: 25, 20 << 30: 25} {
		if got := collectAt(live); got != want {
			t.Errorf("of %d MiB that live: %d%%, want %d%%", live>>20, got, want)
		}
	}
}
