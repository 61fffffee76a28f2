package gotosocial

import (
	"cmp"
	"regexp"
	"strconv"

	"golang.org/x/mod/semver"
)

// Version is a version that GoToSocial's program prints: a release ("0.20.0"), a
// release candidate ("0.20.0-rc10"), or a build of a commit after either
// ("0.20.0-rc1-8-g57cb4fe74", as git describe prints). Text after a "+" names the
// build and has no order.
type Version struct {
	tag     string // "0.20.0-rc1": the release or candidate
	order   string // tag in the form of package semver, numbers apart: "v0.20.0-rc.1"
	commits int    // after the tag
}

// versionForm has the groups release, candidate, commits. GoToSocial's tags begin
// with "v"; the printed version usually lacks the letter.
var versionForm = regexp.MustCompile(
	`^v?(\d+\.\d+\.\d+)(?:-([A-Za-z]+[.0-9A-Za-z]*))?(?:-(\d+)-g[0-9a-f]+)?(?:\+[-.0-9A-Za-z]+)?$`)

// numbers matches a number that follows a letter, as in "rc10".
var numbers = regexp.MustCompile(`([A-Za-z])(\d+)`)

// ParseVersion reads a version. If the text has another form, such as "devel", ok is
// false: nobody can tell the order of the text.
func ParseVersion(text string) (v Version, ok bool) {
	m := versionForm.FindStringSubmatch(text)
	if m == nil {
		return Version{}, false
	}
	v.tag, v.order = m[1], "v"+m[1]
	if m[2] != "" {
		v.tag += "-" + m[2]
		v.order += "-" + numbers.ReplaceAllString(m[2], "$1.$2")
	}
	if m[3] != "" {
		commits, err := strconv.Atoi(m[3])
		if err != nil {
			return Version{}, false
		}
		v.commits = commits
	}
	return v, semver.IsValid(v.order)
}

// Compare returns -1 if v is older than w, 1 if v is newer, and else 0.
func (v Version) Compare(w Version) int {
	return cmp.Or(semver.Compare(v.order, w.order), cmp.Compare(v.commits, w.commits))
}

// Release returns the name of the release or candidate, such as "0.20.0-rc1", and
// whether v is just that and not a later build.
func (v Version) Release() (tag string, exact bool) { return v.tag, v.commits == 0 }
