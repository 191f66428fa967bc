package result

// Families lists name, unit and direction of every kind of metric.
func Families() (list [][3]string) {
	for _, f := range families {
		better := f.better
		if better == "" {
			better = "-"
		}
		list = append(list, [3]string{f.name, f.unit, better})
	}
	return list
}
