package cache

// pieceLen is how many values lie side by side in pieces: few, since most batches are small.
const pieceLen = 32

// pieces is a list that grows without moving what is in it: a batch may have a million additions, and moving them time and
// again costs as much memory as several batches.
type pieces[T any] struct {
	all [][]T
	n   int
}

func (c *pieces[T]) len() int { return c.n }

// at gives the i-th value, which stays where it is.
func (c *pieces[T]) at(i int32) *T { return &c.all[i/pieceLen][i%pieceLen] }

func (c *pieces[T]) add(v T) {
	if c.n%pieceLen == 0 {
		c.all = append(c.all, make([]T, 0, pieceLen))
	}
	last := &c.all[len(c.all)-1]
	*last = append(*last, v)
	c.n++
}
