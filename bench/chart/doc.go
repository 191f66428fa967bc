// Package chart is the house style of roost's pictures: a thin layer over
// gonum.org/v1/plot that writes SVG.
//
// A picture is 800 px wide, on white, in a sans font, with the legend beside the
// data and never on it. The same input gives the same bytes, so that a picture
// under version control changes only when its data does. Values that cannot be
// drawn (NaN, infinite, above 1e300, on a log axis also zero and below) are left
// out, a line is broken there, and the number of them is returned: a caller
// writes it beside the picture.
//
// A series of more than 1,500 points is thinned to about two a pixel: the
// smallest and the largest value of each column stay, so a spike is not lost.
package chart
