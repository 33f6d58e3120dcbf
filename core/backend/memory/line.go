package memory

import (
	"container/heap"
	"time"
)

// line is the live messages of a queue, a heap by (vt, id); see container/heap.
type line []*message

// head is the first message in line, nil when there is none.
func (l line) head() *message {
	if len(l) == 0 {
		return nil
	}
	return l[0]
}

// move gives a message another vt, and with it another place.
func (l *line) move(m *message, vt time.Time) {
	m.VT = vt
	heap.Fix(l, m.place)
}

// Len implements heap.Interface.
func (l line) Len() int { return len(l) }

// Less implements heap.Interface: delivery order.
func (l line) Less(i, j int) bool {
	if !l[i].VT.Equal(l[j].VT) {
		return l[i].VT.Before(l[j].VT)
	}
	return l[i].ID < l[j].ID
}

// Swap implements heap.Interface.
func (l line) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].place, l[j].place = i, j
}

// Push implements heap.Interface.
func (l *line) Push(x any) {
	m := x.(*message)
	m.place = len(*l)
	*l = append(*l, m)
}

// Pop implements heap.Interface.
func (l *line) Pop() any {
	last := len(*l) - 1
	m := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	return m
}
