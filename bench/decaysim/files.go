package decaysim

import (
	"errors"
	"os"
	"path/filepath"

	"roost/bench/chart"
	"roost/bench/experiment"
)

// runFolder makes the folder of a run, with runs/ in it for what is raw.
func runFolder(folder, kind string) (string, error) {
	folder, err := experiment.Folder(folder, kind)
	return folder, errors.Join(err, os.MkdirAll(filepath.Join(folder, "runs"), 0o755))
}

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
