package machine

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// maxLines is the number of lines of the plan for the files below a folder. Where a
// folder has more, one line stands for all of them.
const maxLines = 10

// planLine is a line of the plan about one file, or about the files below a folder.
type planLine struct {
	path  string // absolute
	text  string // of one file: the path, and the target of a link
	files int
}

// branch holds the files below a folder.
type branch struct {
	files   []planLine
	folders map[string]*branch
}

// add adds a file at a path relative to the folder.
func (b *branch) add(below, text string) {
	full := "/" + below
	for {
		name, rest, isFolder := strings.Cut(below, "/")
		if !isFolder {
			b.files = append(b.files, planLine{full, text, 1})
			return
		}
		if b.folders == nil {
			b.folders = map[string]*branch{}
		}
		if b.folders[name] == nil {
			b.folders[name] = new(branch)
		}
		b, below = b.folders[name], rest
	}
}

// lines returns the lines for the folder at a path. The files of / and of a folder
// in / never share a line with those of other folders: a line "/etc" says nothing.
func (b *branch) lines(folder string) []planLine {
	lines := b.files
	if len(lines) > maxLines {
		lines = []planLine{{path: folder, files: len(b.files)}}
	}
	lines = slices.Clone(lines)
	for _, name := range slices.Sorted(maps.Keys(b.folders)) {
		lines = append(lines, b.folders[name].lines(path.Join(folder, name))...)
	}
	if len(lines) <= maxLines || strings.Count(folder, "/") < 2 {
		return lines
	}
	all := planLine{path: folder}
	for _, line := range lines {
		all.files += line.files
	}
	return []planLine{all}
}
