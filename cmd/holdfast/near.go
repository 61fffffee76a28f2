package main

// near reports whether a is likely meant to be b: a start of it, or at most two
// letters away from it.
func near(a, b string) bool {
	if len(a) >= 2 && len(a) <= len(b) && b[:len(a)] == a {
		return true
	}
	return distance(a, b) <= min(2, len(b)/2)
}

// distance is Levenshtein's: how many letters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
