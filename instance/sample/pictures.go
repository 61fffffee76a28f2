package sample

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
)

// bytesPerPixel are the measured bytes of a pixel in an encoded picture of paint.
// Noise makes a picture as hard to compress as a photograph.
var bytesPerPixel = map[string]float64{"jpeg": 0.37, "png": 2}

// maxPicture keeps pictures below 8 MiB: Holdfast treats larger files differently,
// and the size of a picture is an estimate.
const maxPicture = 6 << 20

// dimensions returns the dimensions of a picture whose encoding takes about size
// bytes: seldom less than a third, seldom more than three times as many.
func dimensions(rnd *rand.Rand, size int, kind string) (width, height int) {
	spread := math.Exp(0.5 * rnd.NormFloat64())
	pixels := min(float64(size)*spread, maxPicture) / bytesPerPixel[kind]
	width = max(16, int(math.Sqrt(pixels*4/3)))
	return width, max(12, width*3/4)
}

// paint draws coloured rectangles under noise.
func paint(rnd *rand.Rand, width, height int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range 12 {
		r := img.Rect
		if i > 0 {
			r = image.Rect(rnd.IntN(width), rnd.IntN(height), rnd.IntN(width), rnd.IntN(height))
		}
		colour := color.RGBA{uint8(rnd.IntN(224)), uint8(rnd.IntN(224)), uint8(rnd.IntN(224)), 255}
		draw.Draw(img, r, image.NewUniform(colour), image.Point{}, draw.Src)
	}
	for i := 0; i < len(img.Pix); i += 4 {
		noise := rnd.Uint32()
		img.Pix[i] += uint8(noise) & 31
		img.Pix[i+1] += uint8(noise>>8) & 31
		img.Pix[i+2] += uint8(noise>>16) & 31
	}
	return img
}

// shrink returns a thumbnail with every second pixel of every second line, or with
// fewer pixels: a side has at most 512.
func shrink(img *image.RGBA) *image.RGBA {
	step := max(2, (max(img.Rect.Dx(), img.Rect.Dy())+511)/512)
	small := image.NewRGBA(image.Rect(0, 0, img.Rect.Dx()/step, img.Rect.Dy()/step))
	for y := range small.Rect.Dy() {
		for x := range small.Rect.Dx() {
			small.SetRGBA(x, y, img.RGBAAt(x*step, y*step))
		}
	}
	return small
}

// encode returns the bytes of a picture file. kind is "png" or "jpeg".
func encode(img image.Image, kind string) []byte {
	var b bytes.Buffer
	var err error
	if kind == "png" {
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, img)
	} else {
		err = jpeg.Encode(&b, img, &jpeg.Options{Quality: 95})
	}
	if err != nil {
		panic(err) // a buffer and a picture of paint cause no error
	}
	return b.Bytes()
}
