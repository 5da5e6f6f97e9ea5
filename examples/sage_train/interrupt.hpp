#pragma once

namespace sage_train {

/// Lets the first SIGINT or SIGTERM only be noted; a second one ends the program at once.
void note_interrupts();

/// The signal that came, or 0.
int interrupt();

}  // namespace sage_train
