package testkit

// LocalMedia are the keys of the local media in the databases of the tests, in byte
// order.
var LocalMedia = []string{
	"01A/emoji/original/01E.gif",
	"01A/emoji/static/01E.png",
	"01B/attachment/original/01M.png",
	"01B/attachment/original/01N.mp3",
	"01B/attachment/small/01M.webp",
}
