"""The example's app as the tests run it: with a folder for a broker, and a producer that sends nothing by itself for LINGER seconds."""

import os


def transport(folder):
    folders = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder + "-control"}
    return {"broker_url": "filesystem://", "broker_transport_options": folders}


if "CELERY_FOLDER" in os.environ:
    import longshore_producer
    from celery_tasks import app

    app.conf.update(transport(os.environ["CELERY_FOLDER"]))
    # Made before the pool forks: each process has a producer of its own all the same.
    longshore_producer.configure(linger=float(os.environ["LINGER"]))
