package remedy

import "strings"

// DidYouMean ends an error about an unknown word with the words that the writer
// likely meant: "; did you mean list?". Without such words the result is empty.
func DidYouMean(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(words, " or ") + "?"
}

// Near returns those words that the writer of an unknown word likely meant.
func Near(unknown string, words []string) (near []string) {
	for _, word := range words {
		if isNear(unknown, word) {
			near = append(near, word)
		}
	}
	return near
}

// isNear reports whether typed is a start of word, or at most two letters away.
func isNear(typed, word string) bool {
	if len(typed) >= 2 && strings.HasPrefix(word, typed) {
		return true
	}
	return distance(typed, word) <= min(2, len(word)/2)
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
