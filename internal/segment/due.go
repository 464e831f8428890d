package segment

import "container/heap"

// appointment says when a subject is to be looked at again, because a consent runs out, a birthday comes or a value is no longer kept.
type appointment struct {
	at      uint32 // Unix seconds, rounded down; good until 2106
	ordinal uint32
}

// diary keeps one appointment for each subject, the earliest first. One that was made and is no longer needed stays, and comes to nothing.
type diary struct {
	heap appointments
	next paged[uint32] // the earliest appointment of each ordinal; 0: none
}

// note makes an appointment unless there is an earlier one.
func (d *diary) note(ordinal uint32, at int64) {
	if at <= 0 || at >= 1<<32 {
		return
	}
	next := d.next.make(ordinal)
	if *next != 0 && int64(*next) <= at {
		return
	}
	*next = uint32(at)
	heap.Push(&d.heap, appointment{uint32(at), ordinal})
}

// due takes out the subjects whose time has come.
func (d *diary) due(now int64) []uint32 {
	var ordinals []uint32
	for len(d.heap) > 0 && int64(d.heap[0].at) <= now {
		a := heap.Pop(&d.heap).(appointment) //nolint:forcetypeassert // it holds nothing else
		if next := d.next.at(a.ordinal); *next == a.at {
			*next = 0
			ordinals = append(ordinals, a.ordinal)
		}
	}
	return ordinals
}

// first gives the earliest appointment, 0 when there is none.
func (d *diary) first() int64 {
	if len(d.heap) == 0 {
		return 0
	}
	return int64(d.heap[0].at)
}

func (d *diary) bytes() uint64 { return 8*uint64(cap(d.heap)) + d.next.bytes() }

type appointments []appointment

func (a appointments) Len() int           { return len(a) }
func (a appointments) Less(i, j int) bool { return a[i].at < a[j].at }
func (a appointments) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *appointments) Push(x any)        { *a = append(*a, x.(appointment)) } //nolint:forcetypeassert // it holds nothing else
func (a *appointments) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	*a = (*a)[:last]
	return x
}
