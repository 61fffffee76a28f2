package vault

import "iter"

// joined holds the elements of two sorted sequences with equal keys. An element
// may be absent from either sequence.
type joined[A, B any] struct {
	a        A
	b        B
	inA, inB bool
}

// join walks two sequences side by side and yields elements with equal keys
// together. Both are sorted by compare, without duplicates. An error of either
// sequence ends the walk. An element of bs is valid until the next step.
func join[A, B any](as iter.Seq2[A, error], bs iter.Seq2[B, error], compare func(A, B) int) (
	pairs iter.Seq2[joined[A, B], error]) {
	return func(yield func(joined[A, B], error) bool) {
		next, stop := iter.Pull2(bs)
		defer stop()
		b, err, more := next()
		for a, errA := range as {
			if errA != nil {
				yield(joined[A, B]{}, errA)
				return
			}
			for more && err == nil && compare(a, b) > 0 {
				if !yield(joined[A, B]{b: b, inB: true}, nil) {
					return
				}
				b, err, more = next()
			}
			if err != nil {
				break
			}
			both := more && compare(a, b) == 0
			if !both {
				if !yield(joined[A, B]{a: a, inA: true}, nil) {
					return
				}
				continue
			}
			if !yield(joined[A, B]{a, b, true, true}, nil) {
				return
			}
			b, err, more = next()
		}
		for ; more && err == nil; b, err, more = next() {
			if !yield(joined[A, B]{b: b, inB: true}, nil) {
				return
			}
		}
		if err != nil {
			yield(joined[A, B]{}, err)
		}
	}
}
