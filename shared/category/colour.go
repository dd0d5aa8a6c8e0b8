package category

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// NoColor is the colour of a category that has none.
const NoColor = "none"

// presets are colours that stand for each of Outlook's 25, in Graph's order. Graph
// documents their names only (outlookCategory resource type: preset0 = red, ...).
//
// Guess: the first of each is what Microsoft's own design language shows under that
// name, the others are what people call so; the nearest of them all decides.
var presets = [25][]string{
	{"#d13438", "#ff0000", "#e74c3c"},                       // red
	{"#f7630c", "#ffa500", "#ff8c00"},                       // orange
	{"#8e562e", "#a52a2a", "#a0522d"},                       // brown
	{"#fde300", "#ffff00", "#ffd700"},                       // yellow
	{"#13a10e", "#00ff00", "#008000", "#4caf50", "#90ee90"}, // green
	{"#038387", "#00b7c3", "#00ffff", "#009688"},            // teal
	{"#808000", "#9acd32", "#73aa24"},                       // olive
	{"#0078d4", "#0000ff", "#3a96dd", "#00bfff"},            // blue
	{"#5c2e91", "#800080", "#8764b8", "#9c27b0"},            // purple
	{"#c50f1f", "#c2185b", "#ff00ff", "#e43ba6", "#ff69b4"}, // cranberry
	{"#859599", "#b0c4de", "#778899"},                       // steel
	{"#394146", "#2f4f4f", "#455a64"},                       // dark steel
	{"#bebebe", "#808080", "#d3d3d3"},                       // gray
	{"#5d5a58", "#696969", "#505050"},                       // dark gray
	{"#000000", "#1c1c1c"},                                  // black
	{"#750b1c", "#8b0000", "#800000"},                       // dark red
	{"#da3b01", "#ca5010", "#bf360c"},                       // dark orange
	{"#4d291c", "#5d4037"},                                  // dark brown
	{"#c19c00", "#b8860b"},                                  // dark yellow
	{"#0b6a0b", "#006400", "#1b5e20"},                       // dark green
	{"#006666", "#004d40"},                                  // dark teal
	{"#556b2f", "#4b5320"},                                  // dark olive
	{"#003966", "#000080", "#0027b4"},                       // dark blue
	{"#401b6c", "#4b0082"},                                  // dark purple
	{"#77004d", "#880e4f"},                                  // dark cranberry
}

// Preset returns Outlook's colour that looks most like "#RRGGBB" (or "RRGGBB",
// "#RGB", "#AARRGGBB"); NoColor if that is none. Alike is measured in CIE Lab.
func Preset(hex string) string {
	want, ok := lab(hex)
	if !ok {
		return NoColor
	}
	best, least := 0, math.Inf(1)
	for i, shades := range presets {
		for _, shade := range shades {
			have, _ := lab(shade)
			if d := distance(want, have); d < least {
				best, least = i, d
			}
		}
	}
	return fmt.Sprintf("preset%d", best)
}

// distance is CIE76: good enough to choose among 25.
func distance(a, b [3]float64) float64 {
	return math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}

// lab turns a colour of the screen (sRGB, white D65) into CIE Lab.
func lab(hex string) (out [3]float64, ok bool) {
	hex = strings.TrimPrefix(strings.TrimSpace(hex), "#")
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	if len(hex) == 8 {
		hex = hex[2:] // alpha first, as .NET writes it
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || len(hex) != 6 {
		return out, false
	}
	linear := func(c uint64) float64 {
		v := float64(c&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	r, g, b := linear(n>>16), linear(n>>8), linear(n)
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x := f((0.4124564*r + 0.3575761*g + 0.1804375*b) / 0.95047)
	y := f(0.2126729*r + 0.7151522*g + 0.0721750*b)
	z := f((0.0193339*r + 0.1191920*g + 0.9503041*b) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}, true
}
