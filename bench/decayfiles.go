package bench

import (
	"errors"
	"os"
	"path/filepath"

	"roost/bench/chart"
)

// writeReport writes a report and the raw results that it was made of to a folder.
func writeReport(folder string, report []byte, rawName string, raw []byte) error {
	if err := os.WriteFile(filepath.Join(folder, rawName), append(raw, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "report.md"), report, 0o644)
}

// writePicture writes a picture to a file.
func writePicture(path string, picture chart.Lines) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = picture.WriteSVG(f)
	return errors.Join(err, f.Close())
}
