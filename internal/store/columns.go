package store

import "time"

// A zero time stands for NULL.

func nullTime(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func timeOrZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

func nullID(id [16]byte) *[16]byte {
	if id == [16]byte{} {
		return nil
	}
	return &id
}
