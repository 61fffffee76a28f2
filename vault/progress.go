package vault

import "sync/atomic"

// Progress counts the work of a long job. The zero Progress is ready. A nil
// Progress counts nothing. Any goroutine may read a Progress at any time.
type Progress struct {
	Stage      atomic.Pointer[string] // "database", "media", …
	Bytes      atomic.Int64           // read of the instance, or restored
	BytesTotal atomic.Int64           // of this stage, 0 where it isn't known
	Files      atomic.Int64
	FilesTotal atomic.Int64
	Moved      atomic.Int64 // sealed bytes that went to or came from the remote
}

// begin starts a stage. Unknown totals are 0.
func (p *Progress) begin(stage string, files, bytes int64) {
	if p == nil {
		return
	}
	p.Bytes.Store(0)
	p.Files.Store(0)
	p.FilesTotal.Store(files)
	p.BytesTotal.Store(bytes)
	p.Stage.Store(&stage)
}

func (p *Progress) did(files, bytes int64) {
	if p != nil {
		p.Files.Add(files)
		p.Bytes.Add(bytes)
	}
}

func (p *Progress) moved(bytes int64) {
	if p != nil {
		p.Moved.Add(bytes)
	}
}
