"""Written for reading: NumPy only, nothing of ours imported. The oracle that everything faster is compared with.

layers      windows, convolution, rotation, pooling, linear, normalization, dropout, recurrent
functions   stable, activations, initialization
learning    losses, loss_gradients, regression_losses, overlap_losses, distillation, optimizers, schedules
programs    autograd, operations, small_cnn
judging     boxes, ranking, detection_metrics, decisions, calibration, image_quality, keypoints
integers    integer
"""
