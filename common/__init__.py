"""What the scripts share: command lines, run folders, pictures, the back end, saved generators."""
