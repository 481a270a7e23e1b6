module drover.test/go-drivers

go 1.26
