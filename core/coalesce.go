package pgqrs

import "sync"

// coalescer turns calls that are in flight together into one statement: the
// first goes out at once, what arrives while it is on its way forms the next
// (group commit, without a timer). Items of one key are carried in the order of
// add, one flight at a time; keys do not wait for each other.
type coalescer[K comparable, T any] struct {
	// spawn starts a goroutine that the store waits for, or says that the store
	// has ended.
	spawn func(func()) bool
	// weigh says how much of maxWeight an item takes up in a flight.
	weigh func(T) int
	// carry does the work for the items of one flight, and completes each.
	carry     func(key K, items []T)
	maxWeight int

	mu    sync.Mutex
	lanes map[K]*[]T // a lane exists while a goroutine serves it
}

// add queues one item and returns at once.
func (c *coalescer[K, T]) add(key K, item T) {
	c.mu.Lock()
	lane, busy := c.lanes[key]
	if !busy {
		if c.lanes == nil {
			c.lanes = make(map[K]*[]T)
		}
		lane = new([]T)
		c.lanes[key] = lane
	}
	*lane = append(*lane, item)
	c.mu.Unlock()
	if !busy && !c.spawn(func() { c.serve(key, lane) }) {
		c.serve(key, lane) // carry finds the store closed, and completes the items
	}
}

// serve carries flight after flight until its lane is empty.
func (c *coalescer[K, T]) serve(key K, lane *[]T) {
	for {
		c.mu.Lock()
		waiting := *lane
		if len(waiting) == 0 {
			delete(c.lanes, key)
			c.mu.Unlock()
			return
		}
		n, weight := 1, c.weigh(waiting[0])
		for n < len(waiting) {
			if weight += c.weigh(waiting[n]); weight > c.maxWeight {
				break
			}
			n++
		}
		flight := waiting[:n:n]
		if *lane = waiting[n:]; len(*lane) == 0 {
			*lane = nil // let go of the array
		}
		c.mu.Unlock()
		c.carry(key, flight)
	}
}

// idle says whether nothing is waiting and nothing is on its way.
func (c *coalescer[K, T]) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lanes) == 0
}

// serves says whether something of that key is waiting or on its way.
func (c *coalescer[K, T]) serves(key K) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lanes[key] != nil
}
