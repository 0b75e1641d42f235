"""Going back from what a run says to what it rests on; reads run folders and writes nothing into them."""
